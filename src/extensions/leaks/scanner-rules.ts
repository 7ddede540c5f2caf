import { InvalidInputError } from '../../errors.js'
import { isPrefix } from '../../token/parse.js'
import { exampleToken } from './example-token.js'

/** Rules for three scanners, each as text to save to a file. */
export type ScannerRules = {
  /** Only the regular expression, in the syntax that RE2, PCRE and JavaScript share. */
  readonly pattern: string
  /** For `.gitleaks.toml`. */
  readonly gitleaks: string
  /** A custom detector for trufflehog's `--config`. */
  readonly trufflehog: string
  /** For `.secretlintrc.json`, with `@secretlint/secretlint-rule-pattern`. */
  readonly secretlint: string
}

/**
 * Returns ready-to-use rules that find tokens with these prefixes in code, logs and history.
 *
 * @throws InvalidInputError `invalid_input`, for an invalid prefix
 * @example
 * ```ts
 * await writeFile('.gitleaks.toml', scannerRules(['acme_live', 'acme_test']).gitleaks)
 * ```
 */
export function scannerRules(prefixes: readonly string[]): ScannerRules {
  if (!Array.isArray(prefixes) || prefixes.length === 0) throw new InvalidInputError('prefixes', 'must be a list of at least one prefix')
  for (const [at, prefix] of prefixes.entries()) {
    if (!isPrefix(prefix)) throw new InvalidInputError(`prefixes.${at}`, 'must be a prefix such as acme_live')
  }
  const distinct = [...new Set(prefixes)]
  const [first = ''] = distinct
  const token = `(?:${distinct.join('|')})_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}`
  // Neither neighboring character may belong to the token's alphabet; a longer word is not a token.
  const pattern = `(?:^|[^0-9A-Za-z_])(${token})(?:$|[^0-9A-Za-z_])`
  return {
    pattern,
    gitleaks: gitleaks(first, pattern, distinct),
    trufflehog: trufflehog(first, token, distinct),
    secretlint: secretlint(first, token),
  }
}

/** Scanners apply a rule only to text that contains one of its keywords, so every prefix needs one. */
function keywords(prefixes: readonly string[]): readonly string[] {
  return prefixes.map((prefix) => `${prefix}_`)
}

function gitleaks(name: string, pattern: string, prefixes: readonly string[]): string {
  return `[extend]
useDefault = true

[[rules]]
id = "${name.replaceAll('_', '-')}-token"
description = "API token of ${prefixes.join(', ')}"
regex = '''${pattern}'''
secretGroup = 1
keywords = [${keywords(prefixes)
    .map((keyword) => `"${keyword}"`)
    .join(', ')}]

[[rules.allowlists]]
description = "Example tokens from the documentation"
regexTarget = "match"
regexes = [${prefixes.map((prefix) => `'''${exampleToken(prefix)}'''`).join(', ')}]
`
}

function trufflehog(name: string, token: string, prefixes: readonly string[]): string {
  return `detectors:
  - name: ${name}-token
    keywords:
${keywords(prefixes)
  .map((keyword) => `      - ${keyword}`)
  .join('\n')}
    regex:
      token: '\\b(${token})\\b'
`
}

function secretlint(name: string, token: string): string {
  const rules = [
    {
      id: '@secretlint/secretlint-rule-pattern',
      options: { patterns: [{ name: `${name} token`, pattern: `/\\b(?<token>${token})\\b/` }] },
    },
  ]
  return `${JSON.stringify({ rules }, null, 2)}\n`
}
