import type { Command } from 'commander'
import type { Perform } from '../lib/command.js'
import { say } from '../lib/output.js'
import { numberOrText } from '../lib/read-values.js'

export function addPrune(program: Command, perform: Perform): void {
  const command = program
    .command('prune')
    .summary('remove tokens that were revoked or expired long ago, with their usage')
    .description('Removes tokens that were revoked or expired before an instant, with their usage. Their audit events are kept.')
    .requiredOption('--before <instant>', 'the instant, such as 2030-01-31T00:00:00Z', numberOrText)
  perform<{ readonly before: number | string }>(command, async ({ handle, streams, answer, confirm }, { before }) => {
    await confirm(() => `Remove every token that was revoked or expired before ${before}, with its usage?`)
    const { count } = await handle.prune({ before })
    await answer({ count }, () => say(streams, `Removed ${count} token${count === 1 ? '' : 's'}.`))
  })
}
