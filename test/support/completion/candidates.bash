# Usage: bash candidates.bash SCRIPT LINE...
# Prints the candidates for each line, in turn: its line after `> `, then one candidate a line. Calls the registered function
# as bash calls it, with --option=value as three words.
source "$1"
shift
[[ $(complete -p hexhook) =~ -F\ ([^ ]+) ]]
for line; do
  read -ra COMP_WORDS <<< "${line//=/ = }"
  [[ $line == *[\ =] ]] && COMP_WORDS+=('')
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  "${BASH_REMATCH[1]}" hexhook
  printf '> %s\n' "$line"
  printf '%s\n' "${COMPREPLY[@]}"
done
