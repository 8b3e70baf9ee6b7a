#!/bin/sh
# Finds the programs that yaos is built and run with, and installs those that are missing where it can.
#
#	setup.sh prefix            the prefix of binutils for x86-64 ("", "x86_64-elf-", ...); CROSS= overrides
#	setup.sh missing NEED...   those of as, gcc, qemu, qemu-img, gdb, npm that are not there
#	setup.sh install NEED...   installs them on Debian and Ubuntu; elsewhere says how to, and fails
#	setup.sh npm               makes node_modules what package-lock.json says
set -u

fail() {
	echo "setup: $*" >&2
	exit 1
}

have() {
	command -v "$1" >/dev/null 2>&1
}

# The host's own binutils do on an x86-64 Linux; elsewhere they make other machine code, or Mach-O.
prefix() {
	candidates='x86_64-elf- x86_64-linux-gnu-'
	[ "$(uname -sm)" = 'Linux x86_64' ] && candidates="'' $candidates"
	[ -n "${CROSS:-}" ] && candidates=$CROSS
	eval "set -- $candidates"
	for p; do
		have "${p}as" && have "${p}ld" && have "${p}objcopy" && echo "$p" && return 0
	done
	return 1
}

found() {
	case $1 in
	as) prefix >/dev/null ;;
	gcc) have gcc ;;
	gdb) have gdb || have x86_64-elf-gdb ;;
	qemu) have qemu-system-x86_64 ;;
	*) have "$1" ;;
	esac
}

# The package that has what NEED names: package MANAGER NEED
package() {
	case $1-$2 in
	apt-as) [ "$(uname -m)" = x86_64 ] && echo binutils || echo binutils-x86-64-linux-gnu ;;
	apt-gcc) echo gcc libc6-dev ;;
	apt-qemu | pacman-qemu | dnf-qemu) [ "$1" = dnf ] && echo qemu-system-x86-core || echo qemu-system-x86 ;;
	apt-qemu-img) echo qemu-utils ;;
	dnf-as) [ "$(uname -m)" = x86_64 ] && echo binutils || echo binutils-x86_64-linux-gnu ;;
	brew-as) echo x86_64-elf-binutils ;;
	brew-qemu | brew-qemu-img) echo qemu ;;
	brew-gdb) echo x86_64-elf-gdb ;;
	*-as) echo binutils ;;
	*) echo "$2" ;;
	esac
}

manager() {
	[ "$(uname -s)" = Darwin ] && echo brew && return
	ids=$(. "${OS_RELEASE:-/etc/os-release}" 2>/dev/null && echo " ${ID:-} ${ID_LIKE:-} ")
	case $ids in
	*' debian '* | *' ubuntu '*) echo apt ;;
	*' fedora '* | *' rhel '*) echo dnf ;;
	*' arch '*) echo pacman ;;
	*) echo none ;;
	esac
}

install() {
	case " $* " in
	*' npm '*) fail 'missing: npm. Install Node.js 20.19 or newer with npm: https://nodejs.org' ;;
	esac
	manager=$(manager)
	packages=$(for need; do package "$manager" "$need"; done | tr ' ' '\n' | awk '!seen[$0]++' | tr '\n' ' ')
	packages=${packages% }
	sudo=
	[ "$(id -u)" = 0 ] || sudo='sudo '
	case $manager in
	apt)
		command="${sudo}apt-get update && ${sudo}apt-get install -y --no-install-recommends $packages"
		if [ -n "$sudo" ] && ! have sudo; then
			fail "missing: $*. As root run: apt-get update && apt-get install -y --no-install-recommends $packages"
		fi
		echo "setup: missing: $*; running: $command"
		DEBIAN_FRONTEND=noninteractive
		export DEBIAN_FRONTEND
		eval "$command" || fail "'$command' failed"
		left=$(missing "$@")
		[ -z "$left" ] || fail "still missing after '$command': $left"
		return
		;;
	dnf) command="${sudo}dnf install -y $packages" ;;
	pacman) command="${sudo}pacman -S --needed $packages" ;;
	brew) command="brew install $packages" ;;
	*) fail "missing: $*. Install them (as: GNU binutils for x86-64, qemu: qemu-system-x86_64) and run make again" ;;
	esac
	fail "missing: $*. Run: $command"
}

missing() {
	list=
	for need; do
		found "$need" || list="$list${list:+ }$need"
	done
	[ -z "$list" ] || echo "$list"
}

npm_ci() {
	node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' ||
		fail "Node.js $(node --version) is too old: yaos needs 20.19 or newer (https://nodejs.org)"
	if node -e '
		const packages = (file) => JSON.parse(require("fs").readFileSync(file, "utf8")).packages;
		const have = packages("node_modules/.package-lock.json");
		const same = ([path, want]) => !path || (have[path] ? have[path].integrity === want.integrity : want.optional);
		process.exit(Object.entries(packages("package-lock.json")).every(same) ? 0 : 1);' 2>/dev/null; then
		touch node_modules/.package-lock.json
	else
		npm ci --no-audit --no-fund || fail "'npm ci' failed"
		touch node_modules/.package-lock.json
	fi
}

what=${1:-}
[ $# -eq 0 ] || shift
case $what in
prefix) prefix || fail 'no binutils for x86-64 (as, ld, objcopy) found: run make, or set CROSS=PREFIX' ;;
missing) missing "$@" ;;
install) install "$@" ;;
npm) npm_ci ;;
*) fail "'$what' is none of prefix, missing, install, npm" ;;
esac
