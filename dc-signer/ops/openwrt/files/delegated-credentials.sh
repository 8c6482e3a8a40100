# For the init scripts of dc-agent and dc-terminator: options of UCI as the TOML that these programs read.
#
# What they call of OpenWrt is in /lib/functions.sh, which calls functions as short as 'list' and 'option' while it reads a file. Everything here
# and in the two scripts therefore begins with 'dc_'.
# shellcheck shell=sh

# Ends the script before procd is told anything, so that what runs goes on.
dc_fail() {
	logger -s -t "$1" "$2"
	exit 1
}

# Loads /etc/config/$1. 'config_load' leaves out what is wrong in it and says nothing.
dc_load() {
	local wrong
	wrong=$(uci show "$1" 2>&1 >/dev/null) || dc_fail "$1" "/etc/config/$1 is not taken: $wrong"
	config_load "$1"
}

# A string as TOML has it. With a newline at its end 'sed' sees all of it, whatever it ends with.
dc_quoted() {
	printf '"%s"' "$(printf '%s\n' "$1" | sed -e ':all' -e '$!N' -e '$!b all' \
		-e 's/[\\"]/\\&/g' -e 's/\n/\\n/g' -e 's/\t/\\t/g' -e 's/\r/\\r/g')"
}

# The option $2 of the section $1 as the key $3, if it is there.
dc_text() {
	local value
	config_get value "$1" "$2"
	[ -z "$value" ] || printf '%s = %s\n' "$3" "$(dc_quoted "$value")"
}

dc_add_item() {
	dc_items="$dc_items${dc_items:+, }$(dc_quoted "$1")"
}

# The same for a list. One that was written as an option is a list of one.
dc_list() {
	local dc_items='' value
	config_list_foreach "$1" "$2" dc_add_item
	if [ -z "$dc_items" ]; then
		config_get value "$1" "$2"
		[ -z "$value" ] || dc_add_item "$value"
	fi
	[ -z "$dc_items" ] || printf '%s = [%s]\n' "$3" "$dc_items"
}

# What a command prints, for the service $1 as the file $3 with the umask $2. Who reads it meanwhile sees the old one.
dc_write() {
	local service="$1" mask="$2" file="$3"
	shift 3
	{ mkdir -p "${file%/*}" && (umask "$mask" && "$@" >"$file.new") && mv "$file.new" "$file"; } ||
		dc_fail "$service" "$file cannot be written"
}
