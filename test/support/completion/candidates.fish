# Usage: fish candidates.fish SCRIPT LINE...
# Prints the candidates for each line, in turn: its line after `> `, then one candidate a line.
source $argv[1]
for line in $argv[2..-1]
    echo "> $line"
    complete -C "$line" | string replace -r '\t.*' '' | string replace -r '^--.*=' ''
end
true
