# What of OpenWrt's /lib/functions.sh and procd the init scripts call, for try.sh. Each instance becomes a folder of $PROCD with what it
# would be started with, a word a line.
#
# Values come as config_load of OpenWrt gives them: an option once, a list word by word to a callback.
# shellcheck shell=sh

# The file $UCI/NAME, in variables of its own.
config_load() {
	CONFIG_SECTIONS=''
	local section='' number=0 kind name value line
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
			*[!\ \	]*) ;;
			*) continue ;;
		esac
		# Words in quotes, as a shell has them.
		eval "set -- $line"
		[ $# -gt 0 ] || continue
		kind=$1 name=$2 value=${3-}
		case $kind in
			config)
				section=${value:-cfg$number} number=$((number + 1))
				CONFIG_SECTIONS="$CONFIG_SECTIONS $section"
				eval "CONFIG_${section}_TYPE=\$name"
				;;
			option) eval "CONFIG_${section}_$name=\$value" ;;
			list)
				eval "local length=\${CONFIG_${section}_${name}_LENGTH:-0}"
				# shellcheck disable=SC2154
				length=$((length + 1))
				eval "CONFIG_${section}_${name}_LENGTH=$length CONFIG_${section}_${name}_ITEM$length=\$value"
				;;
		esac
	done <"$UCI/$1"
}

config_get() {
	eval "$1=\${CONFIG_${2}_$3:-\${4-}}"
}

config_get_bool() {
	config_get "$@"
	eval "case \$$1 in 1 | on | true | yes | enabled) $1=1 ;; 0 | off | false | no | disabled) $1=0 ;; *) $1=\${4-} ;; esac"
}

config_foreach() {
	local function=$1 type=$2 section kind
	for section in $CONFIG_SECTIONS; do
		eval "kind=\$CONFIG_${section}_TYPE"
		# shellcheck disable=SC2154
		[ "$kind" != "$type" ] || "$function" "$section"
	done
}

config_list_foreach() {
	local section=$1 name=$2 function=$3 number=1 length item
	eval "length=\${CONFIG_${section}_${name}_LENGTH:-0}"
	# shellcheck disable=SC2154
	while [ "$number" -le "$length" ]; do
		eval "item=\$CONFIG_${section}_${name}_ITEM$number"
		# shellcheck disable=SC2154
		"$function" "$item"
		number=$((number + 1))
	done
}

procd_open_instance() {
	INSTANCE=$PROCD/${1:-instance1}
	mkdir -p "$INSTANCE"
}

procd_set_param() {
	local name=$1
	shift
	printf '%s\n' "$@" >"$INSTANCE/$name"
}

procd_close_instance() {
	[ -s "$INSTANCE/command" ]
}

procd_add_reload_trigger() {
	:
}
