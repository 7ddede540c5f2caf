import { parseAnyToken } from '../../token/parse.js'
import type { Find } from './read-report.js'

/** How many findings are processed at once. Those that fail, for example because too many slow hashes waited for each other, are tried again with fewer. */
const AT_ONCE = 64
const AT_ONCE_AGAIN = 4

type Label = { readonly token_hash: string; readonly token_type: string; readonly label: 'true_positive' | 'false_positive' }

/** Acts on a finding. Returns whether its token is one of ours. */
type Act = (find: Find) => Promise<boolean>

/**
 * Acts on all findings of a report, and returns the sender's feedback format. It identifies each token by its hash, never by its text.
 *
 * Strangers choose what a report contains, so a finding that fails does not hold up the others, and tokens of this library, which are found quickly, come before
 * those that may need a slow hash. It gives up once batches in which nothing succeeded took as long as the deadline: then the store is probably down.
 *
 * @throws the first error, if a finding could not be processed; the sender then repeats the report
 */
export async function labelFinds(finds: readonly Find[], act: Act, deadlineMs: number): Promise<readonly Label[]> {
  const known = new Map<Find, boolean>()
  const isOurs = (find: Find): boolean => parseAnyToken(find.token) !== undefined
  let left = [...finds.filter(isOurs), ...finds.filter((find) => !isOurs(find))]
  let lostMs = 0
  for (const atOnce of [AT_ONCE, AT_ONCE_AGAIN]) {
    const failed: Find[] = []
    let failure: unknown
    for (let from = 0; from < left.length; from += atOnce) {
      const batch = left.slice(from, from + atOnce)
      const began = performance.now()
      const settled = await Promise.allSettled(batch.map(async (find) => known.set(find, await act(find))))
      const errors = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
      failure ??= errors[0]
      failed.push(...batch.filter((find) => !known.has(find)))
      if (errors.length < batch.length) continue
      lostMs += performance.now() - began
      if (lostMs >= deadlineMs) throw failure
    }
    if (failed.length === 0) break
    if (atOnce === AT_ONCE_AGAIN || left.length <= AT_ONCE_AGAIN) throw failure
    left = failed
  }
  return await Promise.all(finds.map(async (find) => labelOf(find, known.get(find) === true)))
}

async function labelOf({ token, type }: Find, isKnown: boolean): Promise<Label> {
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token))
  const text = btoa(String.fromCharCode(...new Uint8Array(hash)))
  return { token_hash: text, token_type: type, label: isKnown ? 'true_positive' : 'false_positive' }
}
