# Usage: zsh -f candidates.zsh SCRIPT LINE...
# Prints the candidates that an interactive zsh has for each line, in turn: its line after `> `, then one candidate a line.
zmodload zsh/zpty
out=$(mktemp)
zpty shell zsh -f -i
say() { zpty -w shell "$1" }
say 'autoload -Uz compinit; compinit -u -D'
say "source ${(q)1}"
say "out=$out"
# Every function of the completion system adds its candidates with compadd. With -O, -A or -D it adds none.
say 'compadd() { if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then local -a hits; builtin compadd -A hits "$@"; print -rl -- $hits >> $out; fi; builtin compadd "$@" }'
say 'candidates() { print -r -- "> $BUFFER" >> $out; zle complete-word; print -r -- "<" >> $out; BUFFER= }'
say 'zle -N candidates; bindkey ^G candidates'
shift
for line; do
  zpty -w -n shell "$line"$'\x07'
done
until [[ $(grep -c '^<' $out) == $# ]]; do
  zpty -r -t shell > /dev/null 2>&1
  sleep 0.02
done
grep -v '^<' $out
rm $out
