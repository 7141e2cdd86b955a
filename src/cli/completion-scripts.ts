/** In place of candidates: names of files are wanted. */
export const filesMark = ':files';

/**
 * Each script asks `van completion SHELL --words=LINES` with the words of the line up to the cursor, one in each line, and a line with a dot, so that no
 * shell drops an empty last word. It gets one candidate a line: the word, a tab and what it means. Words are split at blanks; quoted ones are not completed.
 */
export const completionScripts: Readonly<Record<'bash' | 'zsh' | 'fish', string>> = {
  bash: `# bash completion for van; made by: van completion bash
_van() {
  local line=\${COMP_LINE:0:COMP_POINT} word candidate
  local -a words
  read -ra words <<< "$line"
  # A blank at the end begins a new, empty word.
  [[ $line == *[[:space:]] ]] && words+=('')
  word=\${words[\${#words[@]}-1]}
  local lines
  lines=$(printf '%s\\n' "\${words[@]:1}" .)
  COMPREPLY=()
  while IFS=$'\\t' read -r candidate _; do
    if [[ $candidate == '${filesMark}' ]]; then
      compopt -o filenames 2> /dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
      return
    fi
    COMPREPLY+=("$candidate")
  done < <("\${words[0]}" completion bash "--words=$lines" 2> /dev/null)
  # Of what bash takes for several words, such as a:b, only the last part is replaced.
  if [[ $word == *:* && $COMP_WORDBREAKS == *:* ]]; then
    local head=\${word%"\${word##*:}"}
    COMPREPLY=("\${COMPREPLY[@]#"$head"}")
  fi
}
complete -F _van van
`,
  zsh: `#compdef van
# zsh completion for van; made by: van completion zsh
_van() {
  local -a candidates
  local line word lines
  lines="\${(pj:\\n:)words[2,CURRENT]}"$'\\n.'
  while IFS=$'\\t' read -r word line; do
    if [[ $word == '${filesMark}' ]]; then
      _files
      return
    fi
    candidates+=("\${word//:/\\\\:}:$line")
  done < <("\${words[1]}" completion zsh "--words=$lines" 2> /dev/null)
  [[ \${words[CURRENT]} == --*=* ]] && compset -P '*='
  _describe van candidates
}
if [[ \${funcstack[1]} == _van ]]; then _van "$@"; else compdef _van van; fi
`,
  fish: `# fish completion for van; made by: van completion fish
function __van_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l prefix (string match -r -- '^--[^=]+=' $words[-1])
  # Nothing in front of a word would leave nothing of it.
  set -q prefix[1]; or set prefix ''
  for line in ($words[1] completion fish --words=(string join \\n -- $words[2..-1] . | string collect) 2> /dev/null)
    if test (string split -f 1 \\t -- $line) = '${filesMark}'
      __fish_complete_path $words[-1]
    else
      echo $prefix$line
    end
  end
end
complete -c van -f -a '(__van_complete)'
`,
};
