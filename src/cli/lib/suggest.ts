import { Command, Option } from 'commander'
import { noneOf } from '../../policy/suggest.js'
import { CommandError, EXIT } from './fault.js'

/** Our commands, options and values, with the words that other products use for them. */
const ELSEWHERE: ReadonlyMap<string, readonly string[]> = new Map([
  ['create', ['new', 'add', 'generate', 'issue']],
  ['list', ['ls']],
  ['show', ['get', 'view', 'inspect', 'describe']],
  ['update', ['edit', 'set', 'modify']],
  ['rotate', ['renew', 'regenerate', 'roll']],
  ['deactivate', ['disable', 'suspend', 'pause']],
  ['activate', ['enable', 'resume']],
  ['revoke', ['delete', 'remove', 'rm', 'destroy']],
  ['events', ['log', 'logs', 'audit', 'history']],
  ['verify-audit', ['audit']],
  ['doctor', ['check', 'health']],
  ['init', ['setup']],
  ['version', ['v']],
  ['name', ['label', 'title', 'search', 'query']],
  ['description', ['desc', 'note', 'comment']],
  ['scope', ['scopes', 'permission', 'permissions', 'role', 'roles']],
  ['owner', ['owner-id', 'user', 'user-id']],
  ['tenant', ['tenant-id', 'org', 'org-id', 'organization']],
  ['expires-in', ['ttl', 'lifetime', 'expires', 'expire', 'expiry', 'expiration']],
  ['expires-at', ['expires', 'expire', 'expiry', 'expiration', 'expiry-date', 'valid-until']],
  ['allowed-ip', ['ip', 'ips', 'cidr', 'allowlist', 'whitelist']],
  ['overlap', ['grace', 'grace-period']],
  ['limit', ['page-size', 'per-page']],
  ['cursor', ['page', 'offset']],
  ['order', ['sort']],
  ['from', ['since', 'after']],
  ['to', ['until', 'before']],
  ['json', ['output', 'format']],
  ['yes', ['y', 'force']],
  ['active', ['enabled']],
  ['inactive', ['disabled', 'suspended']],
  ['revoked', ['deleted']],
  ['newest', ['desc']],
  ['oldest', ['asc']],
  ['postgres', ['postgresql', 'pg']],
  ['mysql', ['mariadb']],
])

/** The unit at the end of an option for a duration. Here, the unit is part of the value. */
const UNIT = /-(?:minutes|hours|days|weeks)$/

/** Returns the names that latchkey uses for a word from another product. */
function meantBy(word: string, ours: readonly string[]): readonly string[] {
  const plain = word
    .replace(/[a-z](?=[A-Z])/g, '$&-')
    .replaceAll('_', '-')
    .toLowerCase()
  return ours.filter((name) => ELSEWHERE.get(name)?.includes(plain) || name === plain)
}

/** A longer word is not a typo of a command or an option, but it may be a token in a format that is unknown before the configuration is loaded. */
const LONGEST_WORD = 24

/**
 * A command whose errors for an unknown command or option suggest a name. For a name from another product, this is our equivalent, and otherwise the most
 * similar name.
 */
export class SuggestingCommand extends Command {
  /** A method of Commander that its types omit. */
  declare unknownCommand: () => never

  override createCommand(name?: string): Command {
    return new SuggestingCommand(name)
  }

  override error(message: string, options?: Parameters<Command['error']>[1]): never {
    const [start, kind, word = ''] = /^error: unknown (command|option) '([^'=]+)/.exec(message) ?? []
    if (start === undefined) return super.error(message + argumentHint(this, message, options?.code), options)
    if (word.length > LONGEST_WORD) return super.error(`error: unknown ${kind}; it is not repeated here because it may be a token`, options)
    if (this.name() === 'init' && /^--?(?:f|force|overwrite)$/.test(word))
      return super.error(`${start}' (init never overwrites a file: delete it first)`, options)
    const hint = kind === 'command' ? commandFor(this, word) : optionFor(this, word)
    // The part after `=` is a value, which may be a token.
    return super.error(hint === undefined ? message.replace(/=[^']*'/, "'") : `${start}' (Did you mean ${hint}?)`, options)
  }
}

function argumentHint(command: Command, message: string, code: string | undefined): string {
  if (code === 'commander.excessArguments') return excessHint(command)
  return code === 'commander.missingArgument' && message.endsWith("'id'") ? ' (`latchkey list` shows the IDs)' : ''
}

/** Returns the likely meaning of a stray argument: a value for an option that takes none, the name, or another scope. */
function excessHint(command: Command): string {
  const flag = flagBeforeExcess(command)
  if (flag !== undefined) return ` ${flag} takes no value.`
  const { name, scope } = command.opts<{ readonly name?: string; readonly scope?: readonly string[] }>()
  if (scope !== undefined && name !== undefined) return ' Repeat --scope for each scope, and put a name with spaces in quotes.'
  const hasName = command.options.some(({ long }) => long === '--name')
  return hasName && name === undefined ? ' (Did you mean --name?)' : ''
}

/** Returns the last option before the first stray argument, if that option takes no value. */
function flagBeforeExcess({ parent, options, args, registeredArguments }: Command): string | undefined {
  const given: unknown = Reflect.get(Object(parent), 'rawArgs')
  const words: readonly unknown[] = Array.isArray(given) ? given : []
  const before = words[words.lastIndexOf(args[registeredArguments.length]) - 1]
  return [...options, ...(parent?.options ?? [])].find(({ long, required, optional }) => !required && !optional && long === before)?.long
}

/** Words that other command lines have before the verb, as in `token create`. */
const NOUN = /^(?:api-?)?(?:tokens?|keys?)$/

function commandFor({ commands, args }: Command, word: string): string | undefined {
  const names = commands.map((command) => command.name())
  if (NOUN.test(word)) return args[1] === undefined ? 'list' : orNothing(meantBy(args[1], names))
  if (word === 'version') return '--version'
  // `owner gone`, or only `owner`.
  return orNothing(meantBy(word, names)) ?? orNothing(names.filter((name) => name.startsWith(`${word}-`)))
}

function optionFor({ options, parent }: Command, flag: string): string | undefined {
  const names = [...options, ...(parent?.options ?? [])].flatMap(({ long }) => long?.slice(2) ?? [])
  const word = flag.replace(/^--?/, '')
  const meant = (name: string): string | undefined => orNothing(meantBy(name, names).map((name) => `--${name}`))
  const plain = word.replace(UNIT, '')
  const hint = meant(plain)
  return hint === undefined || plain === word ? hint : `${hint}, with the unit in the value, as in 90d`
}

function orNothing(names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : names.join(' or ')
}

/**
 * Creates an option with a closed set of values. The error for another value lists them and suggests one, but does not repeat the value. `beside` explains
 * other values that people expect for this option.
 */
export function choiceOption(
  flags: string,
  description: string,
  values: readonly string[],
  beside?: (value: string) => string | undefined,
): Option {
  const option = new Option(flags, description).choices(values)
  const say = noneOf(values)
  return option.argParser<string | readonly string[]>((value, before) => {
    if (!values.includes(value)) {
      const more = beside?.(value)
      throw new CommandError(
        EXIT.usage,
        `${option.long}: ${say({ input: meantBy(value, values)[0] ?? value })}${more === undefined ? '' : `; ${more}`}`,
      )
    }
    return option.variadic ? [...(Array.isArray(before) ? before : []), value] : value
  })
}
