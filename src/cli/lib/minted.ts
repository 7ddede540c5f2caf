import type { Minted } from '../../model/record.js'
import { CommandError, EXIT, OutputClosedError } from './fault.js'
import { say, write } from './output.js'
import type { Session } from './session.js'

/**
 * Shows a new token, once. For people it is the only line on `stdout`, so that `TOKEN=$(latchkey create …)` holds it.
 *
 * @throws CommandError when nobody read it: it is gone
 */
export async function showMinted({ streams, answer }: Session, { token, record }: Minted, sentence: string): Promise<void> {
  try {
    await answer({ token, record }, async () => {
      await say(streams, sentence)
      await write(streams.stdout, `${token}\n`)
    })
  } catch (error) {
    if (!(error instanceof OutputClosedError)) throw error
    throw new CommandError(EXIT.failed, `token ${record.id} was created, but its output was closed before it could be shown: revoke it`)
  }
}
