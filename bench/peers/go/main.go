// SPDX-License-Identifier: MIT

// A TCP echo server on Go's net package: a goroutine for each client. Go sets TCP_NODELAY by itself.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
)

// io.Copy has a buffer of this size, but would move bytes between sockets by splice.
const bufferBytes = 32 << 10

func echo(client net.Conn) {
	defer client.Close()
	buffer := make([]byte, bufferBytes)
	for {
		count, err := client.Read(buffer)
		if err != nil {
			return
		}
		if _, err := client.Write(buffer[:count]); err != nil {
			return
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "peer-go:", err)
	os.Exit(1)
}

func main() {
	address := flag.String("tcp", "", "HOST:PORT to listen on")
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		fail(err)
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-end
		os.Exit(0)
	}()
	fmt.Fprintln(os.Stderr, "listening on tcp", listener.Addr())
	for {
		client, err := listener.Accept()
		if err != nil {
			fail(err)
		}
		go echo(client)
	}
}
