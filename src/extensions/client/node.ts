import { createFileStorage } from './node/file-storage.js'
import type { ClientStorage } from './options.js'

/**
 * Keeps a token in a file, for Node, Bun and Deno. Processes on one machine, or with a shared disk, may use the same file: one of them rotates, and
 * the others adopt the new token.
 *
 * The file contains the token and nothing else, so that other programs can read it: put the first token there yourself, or pass it as `token`. The file
 * is replaced atomically, and only its owner can read it unless its permissions already allow its group to. If they allow everyone, such as 0644, the new
 * file is 0600. During a rotation there are also files with the suffixes `.lock` and `.rotation`.
 *
 * A relative path is resolved when this function is called, so the file stays the same if the process changes its working directory later.
 *
 * @example
 * ```ts
 * const client = createClient({ manage: 'https://api.example.com/admin/tokens', ...fileStorage('/var/lib/erp/token') })
 * ```
 */
export function fileStorage(path: string): Required<ClientStorage> {
  return createFileStorage(path)
}
