import { constants } from 'node:fs'
import { open } from 'node:fs/promises'

/** The error code for a path that does not lead to a small regular file. */
export const NO_TEXT = 'NO_TEXT'

/** Far more than any of these files contains. */
const MOST_BYTES = 64 * 1024

/**
 * Reads a small file.
 *
 * Anyone who can write to the token's folder may have replaced the file. Opening a pipe would block a thread of the process until another process writes
 * to it, and a device or a huge file could fill its memory.
 */
export async function readText(path: string): Promise<string> {
  // Windows has neither this flag nor pipes in its file system.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    if (!(await file.stat()).isFile()) throw refused('not a regular file')
    const { bytesRead, buffer } = await file.read(Buffer.alloc(MOST_BYTES + 1), 0, MOST_BYTES + 1, 0)
    if (bytesRead > MOST_BYTES) throw refused('the file is too large')
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}

function refused(message: string): Error {
  return Object.assign(new Error(message), { code: NO_TEXT })
}
