# SPDX-License-Identifier: MIT
#
# docker build -t rollcall-bench -f docker/bench.Dockerfile .
#
# The comparison with epoll, in a container: servers and load share its loopback, and no bridge or
# proxy of the engine stands between them. compose.yaml runs it.
ARG BASE=debian:trixie-slim

FROM $BASE
RUN apt-get update && \
    apt-get install -y --no-install-recommends gcc gnuplot-nox libc6-dev liburing-dev make python3 \
        strace && \
    rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Makefile ./
COPY include include
COPY src src
COPY bench bench
RUN make -j"$(nproc)" all bench-tools
ENTRYPOINT ["bench/run", "--output", "/results"]
