# SPDX-License-Identifier: MIT
#
# Debian's packages of other releases and architectures, unpacked below a directory and never
# installed, from the mirror that apt uses already.

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# The code name and the address of Debian itself: not of its updates or security fixes.
debian()
{
	apt-get indextargets --format '$(CODENAME) $(REPO_URI)' \
		'Created-By: Packages' 'Origin: Debian' 'Component: main' |
		awk '$1 !~ /-/ { print; exit }'
}

# private_apt DIRECTORY WORDS...: apt-get with lists, cache and sources of its own.
private_apt()
(
	private=$1
	shift
	apt-get -q -o Dir::State="$private/state" -o Dir::State::status=/dev/null \
		-o Dir::Cache="$private/cache" -o Dir::Etc::sourcelist="$private/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
		-o APT::Sandbox::User= -o Acquire::Languages=none "$@"
)

# unpack DIRECTORY RELEASE ARCHITECTURES PACKAGE...: into DIRECTORY/root. RELEASE "" is the system's
# own; of architectures, as "amd64 i386", the first is that of packages without a ":ARCHITECTURE".
unpack()
(
	directory=$1 release=$2 architectures=$3
	shift 3
	mirror=$(debian)
	[ -n "$mirror" ] || { echo 'E: apt knows no mirror of Debian'; return 1; }
	rm -rf "$directory"
	mkdir -p "$directory/state/lists/partial" "$directory/cache/archives/partial" \
		"$directory/root" || return
	echo "deb [signed-by=$KEYRING arch=$(echo "$architectures" | tr ' ' ,)] ${mirror#* }" \
		"${release:-${mirror% *}} main" >"$directory/sources.list"
	set -- download "$@"
	for architecture in $architectures; do
		set -- -o APT::Architectures::="$architecture" "$@"
	done
	private_apt "$directory" -o APT::Architecture="${architectures%% *}" update || return
	(cd "$directory" && private_apt "$directory" -o APT::Architecture="${architectures%% *}" \
		"$@") || return
	for package in "$directory"/*.deb; do
		dpkg-deb -x "$package" "$directory/root" || return
	done
)
