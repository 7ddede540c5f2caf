import { createFileStorage } from './node/file-storage.js'
import type { ClientStorage } from './options.js'

/**
 * Keeps a token in a file, for Node, Bun and Deno. Processes of this machine, or of a shared disk, may use the same file: one of them rotates, the others
 * take over what it wrote.
 *
 * The file holds the token and nothing else, so that other programs can read it: put the first token there by hand, or give it as `token`. It is
 * replaced atomically, and only its owner can read it unless its permissions already allow more. In the middle of a rotation there are `.lock` and
 * `.rotation` beside it.
 *
 * @example
 * ```ts
 * const client = createClient({ manage: 'https://api.example.com/admin/tokens', ...fileStorage('/var/lib/erp/token') })
 * ```
 */
export function fileStorage(path: string): Required<ClientStorage> {
  return createFileStorage(path)
}
