# What the set-up scripts share. Source it.

# need COMMAND PACKAGE...: installs Debian packages when the command is missing. Where there is no apt-get it says so and fails.
need() {
    local command=$1
    shift
    command -v "$command" >/dev/null && return
    if ! command -v apt-get >/dev/null; then
        echo "missing: $command (Debian has it in: $*); please install it" >&2
        return 1
    fi
    echo "installing $* for $command"
    as_root apt-get update -qq </dev/null
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null
    command -v "$command" >/dev/null
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}
