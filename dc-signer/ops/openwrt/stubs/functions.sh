# What of OpenWrt's /lib/functions.sh the init scripts call, for try.sh. A file is read by OpenWrt's own 'uci', which prints it as calls
# of the four functions below; therefore they have these names. They make variables, which 'config_get' and the others read.
# shellcheck shell=sh

package() {
	:
}

config() {
	CONFIG_SECTION=$2
	CONFIG_SECTIONS="$CONFIG_SECTIONS $2"
	eval "CONFIG_$2_TYPE=\$1"
}

option() {
	eval "CONFIG_${CONFIG_SECTION}_$1=\$2"
}

# A list is an option as well, of its words with spaces between them.
list() {
	local length words
	config_get length "$CONFIG_SECTION" "$1_LENGTH" 0
	config_get words "$CONFIG_SECTION" "$1"
	length=$((length + 1))
	eval "CONFIG_${CONFIG_SECTION}_$1_ITEM$length=\$2 CONFIG_${CONFIG_SECTION}_$1_LENGTH=$length"
	option "$1" "$words${words:+ }$2"
}

# What is wrong in a file is left out, and nothing is said of it.
config_load() {
	CONFIG_SECTIONS=''
	eval "$(uci -P "$ROOT/var/state" -S -n export "$1" 2>/dev/null)"
}

config_get() {
	eval "$1=\${CONFIG_${2}_$3:-\${4-}}"
}

config_get_bool() {
	config_get "$@"
	eval "case \$$1 in 1 | on | true | yes | enabled) $1=1 ;; 0 | off | false | no | disabled) $1=0 ;; *) $1=\${4-} ;; esac"
}

# Functions are called with an empty word more.
config_foreach() {
	local function=$1 type=$2 section kind
	for section in $CONFIG_SECTIONS; do
		eval "kind=\$CONFIG_${section}_TYPE"
		# shellcheck disable=SC2154
		[ "$kind" != "$type" ] || "$function" "$section" ''
	done
}

config_list_foreach() {
	local section=$1 option=$2 function=$3 number=1 length item
	config_get length "$section" "${option}_LENGTH" 0
	while [ "$number" -le "$length" ]; do
		config_get item "$section" "${option}_ITEM$number"
		"$function" "$item" ''
		number=$((number + 1))
	done
}
