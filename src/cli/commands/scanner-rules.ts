import type { Command } from 'commander'
import { scannerRules } from '../../extensions/leaks/scanner-rules.js'
import type { Perform } from '../lib/command.js'
import { write } from '../lib/output.js'
import { collect } from '../lib/read-values.js'
import { choiceOption } from '../lib/suggest.js'

type Options = { readonly format: 'gitleaks' | 'trufflehog' | 'secretlint' | 'pattern'; readonly prefix?: readonly string[] }

export function addScannerRules(program: Command, perform: Perform): void {
  const command = program
    .command('scanner-rules')
    .summary('print rules that find your tokens in code and logs')
    .description('Prints rules that let secret scanners find your tokens in code, logs and history.')
    .addOption(choiceOption('--format <format>', 'the scanner', ['gitleaks', 'trufflehog', 'secretlint', 'pattern']).default('gitleaks'))
    .option('--prefix <prefix>', "an additional prefix besides the instance's; repeatable", collect)
  perform<Options>(command, async ({ tokens, streams, answer }, { format, prefix = [] }) => {
    const rules = scannerRules([...new Set([tokens.prefix, ...prefix])])
    await answer(rules, () => write(streams.stdout, `${rules[format].trimEnd()}\n`))
  })
}
