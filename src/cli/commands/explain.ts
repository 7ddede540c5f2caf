import type { Command } from 'commander'
import type { Perform } from '../lib/command.js'
import { say, writeTable } from '../lib/output.js'
import { collect, given, numberOrText, readId, readResources } from '../lib/read-values.js'

type Options = {
  readonly at?: number | string
  readonly scope?: readonly string[]
  readonly resource?: readonly string[]
  readonly ip?: string
}

/** `explain` */
export function addExplain(program: Command, perform: Perform): void {
  const command = program
    .command('explain')
    .summary('explain why a token is let in or refused, now or at an instant of the past')
    .description('Explains, step by step, why a request with this token is let in or refused, now or at an instant of the past.')
    .argument('<id>', 'id of the token')
    .option('--scope <scope>', 'a scope that the route requires; repeatable', collect)
    .option('--resource <dimension=value>', 'data that the route is about; repeatable, needs --scope', collect)
    .option('--ip <address>', 'the address that the request comes from')
    .option('--at <instant>', 'when (default: now)', numberOrText)
  perform<Options>(command, async ({ handle, streams, answer }, { at, scope, resource, ip }, [text = '']) => {
    const id = await readId(streams, text)
    const explanation = await handle.explain(id, given({ at, scope, resources: readResources(resource), ip }))
    await answer(explanation, async () => {
      const { ok, code, steps } = explanation
      await writeTable(
        streams,
        ['step', 'passes', 'code', 'facts'],
        steps.map(({ step, ok, code, unknown, ...facts }) => [
          step,
          ok === undefined ? `unknown: ${unknown}` : yesOrNo(ok),
          code,
          factsOf(facts),
        ]),
      )
      const verdict =
        ok === undefined ? 'It cannot be known whether it is let in.' : ok ? 'It is let in.' : `It is refused${code ? `: ${code}` : ''}.`
      await say(streams, verdict)
    })
  })
}

const yesOrNo = (ok: boolean): string => (ok ? 'yes' : 'no')

function factsOf(facts: object): string {
  return Object.entries(facts)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('; ')
}
