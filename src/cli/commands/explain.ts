import type { Command } from 'commander'
import type { ExplainedResource, ExplainedScope, ExplainStep, Explanation } from '../../model/explanation.js'
import type { RateState } from '../../model/principal.js'
import { closest } from '../../policy/suggest.js'
import type { Perform } from '../lib/command.js'
import { say, writeTable } from '../lib/output.js'
import { collect, given, numberOrText, readResources } from '../lib/read-values.js'

type Options = {
  readonly at?: number | string
  readonly scope?: readonly string[]
  readonly resource?: readonly string[]
  readonly ip?: string
}

export function addExplain(program: Command, perform: Perform): void {
  const command = program
    .command('explain')
    .summary('explain why a token is accepted or refused, now or at an earlier time')
    .description('Explains, step by step, why a request with this token is allowed or refused now, or would have been at a past instant.')
    .argument('<id>', 'ID of the token')
    .option('--scope <scope>', 'a scope that the route requires; repeatable', collect)
    .option('--resource <dimension=value>', 'data that the route accesses; repeatable, requires --scope', collect)
    .option('--ip <address>', 'the address that the request comes from')
    .option('--at <instant>', 'the time to explain (default: now)', numberOrText)
  perform<Options>(command, async ({ handle, streams, readId, answer }, { at, scope, resource, ip }, [text = '']) => {
    const id = await readId(text)
    const explanation = await handle.explain(id, given({ at, scope, resources: readResources(resource), ip }))
    const names = handle.grantable().filter((name) => !/[*@]/.test(name))
    await answer(explanation, async () => {
      await say(streams, verdictOf(explanation))
      await writeTable(
        streams,
        ['step', 'result', 'why'],
        explanation.steps.flatMap((step) => rowsOf(step, names)),
        { whole: true },
      )
    })
  })
}

function verdictOf({ ok, code, steps }: Explanation): string {
  if (ok === true) return 'Accepted.'
  const open = steps.filter((step) => step.ok === undefined).map(({ step }) => step)
  if (ok === undefined) return `Unknown: it depends on ${open.join(', ')}.`
  const failing = steps.filter((step) => step.ok === false).map(({ step }) => step)
  const others = failing.length > 1 ? `, and would also be refused at ${failing.slice(1).join(', ')}` : ''
  return `Refused${code === undefined ? '' : ` with ${code}`} at ${failing[0]}${others}.`
}

/** Returns a row for each fact, so that none is truncated. */
function rowsOf({ step, ok, code, unknown, ...facts }: ExplainStep, names: readonly string[]): readonly (readonly string[])[] {
  const result = ok === undefined ? 'unknown' : ok ? 'ok' : 'REFUSED'
  const why = [code ?? unknown, ...Object.entries(facts).flatMap(([name, value]) => factsOf(name, value, names))].filter(
    (fact) => fact !== undefined,
  )
  return why.length === 0 ? [[step, result, '']] : why.map((fact, index) => (index === 0 ? [step, result, fact] : ['', '', fact]))
}

function factsOf(name: string, value: unknown, names: readonly string[]): readonly string[] {
  if (name === 'scopes') return (value as readonly ExplainedScope[]).flatMap((scope) => scopeFacts(scope, names))
  if (name === 'resources') return (value as readonly ExplainedResource[]).flatMap(resourceFacts)
  if (name === 'rates') return (value as readonly RateState[]).map(rateFact)
  if (Array.isArray(value)) return [`${name}:`, ...value.map((item) => `  ${item}`)]
  return [`${name}: ${value instanceof Date ? value.toISOString() : String(value)}`]
}

function rateFact({ name, limit, remaining, resetSeconds }: RateState): string {
  return `${name}: ${remaining} of ${limit} uses left${resetSeconds === undefined ? '' : `, resets in ${resetSeconds} s`}`
}

function scopeFacts({ scope, exists, held, grants, owner, givenBy }: ExplainedScope, names: readonly string[]): readonly string[] {
  if (!exists) {
    const meant = closest(scope, names)
    return [`${scope} is not in the catalogue${meant === undefined ? '' : `; did you mean ${meant}?`}`]
  }
  return [
    `${scope}: ${held === undefined ? 'unknown' : held ? 'held' : 'not held'}`,
    ...(owner === false ? ['  its owner does not have it'] : []),
    ...grants.map((grant) => `  granted by ${grant}`),
    ...(givenBy ?? []).map((grant) => `  would be granted by ${grant}`),
  ]
}

function resourceFacts({ dimension, asked, missing }: ExplainedResource): readonly string[] {
  if (asked.length === 0) return [`${dimension}: the token is limited, and no value was passed`]
  const isMissing = new Set(missing)
  return asked.map(
    (value) =>
      `${dimension}=${value}: ${missing === undefined ? 'not known whether it is covered' : isMissing.has(value) ? 'not covered' : 'covered'}`,
  )
}
