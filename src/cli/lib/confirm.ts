import { confirm, isCancel } from '@clack/prompts'
import { CommandError, EXIT, oneLine } from './fault.js'
import type { Streams } from './output.js'

/**
 * Asks before what cannot be undone. Without a terminal there is nobody to ask, and nothing is done.
 *
 * @throws CommandError for every answer but yes
 */
export async function confirmFinal(streams: Streams, question: string): Promise<void> {
  if (streams.stdin.isTTY !== true || streams.stderr.isTTY !== true) {
    throw new CommandError(
      EXIT.failed,
      `${question} There is no terminal to ask for confirmation, so nothing was changed. Add --yes to confirm`,
    )
  }
  const answer = await confirm({ message: oneLine(question), initialValue: false, input: streams.stdin, output: streams.stderr })
  if (isCancel(answer) || !answer) throw new CommandError(EXIT.failed, 'not confirmed; nothing was changed')
}
