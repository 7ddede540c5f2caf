import { open, realpath, rename, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { ClientError } from '../client-error.js'
import type { ClientState, ClientStorage } from '../options.js'
import { type HeldLock, type LockTimes, nameOf, remove, takeLock, unless } from './file-lock.js'
import { readText } from './read-text.js'

const TIMES: LockTimes = { beatMs: 1000, staleMs: 6000, pollMs: 100, patienceMs: 30_000 }

/** Only the owner can read and write the file. */
const PRIVATE = 0o600
/** What all users of the machine can do. */
const EVERYONE = 0o007

/** Creates the file storage with the given lock timing. */
export function createFileStorage(path: string, times: LockTimes = TIMES): Required<ClientStorage> {
  if (typeof path !== 'string' || path === '') {
    throw new ClientError('invalid_input', 'path: must be the path of the file that contains the token')
  }
  // The process may change its working directory later.
  const given = resolve(path)
  let held: HeldLock | undefined
  // Orchestrators mount files as symbolic links. A link stays a link.
  const resolved = async (): Promise<string> => (await unless('ENOENT', realpath(given))) ?? given

  async function replace(path: string, text: string, mode: number, replaces?: readonly string[]): Promise<void> {
    if (held === undefined) throw new Error('the file lock was lost')
    const draft = draftOf(path, held.owner)
    // Anyone who can write to the folder may have put a link there. Removing it does not follow it, and `wx` opens only a new file.
    await remove(draft)
    const file = await open(draft, 'wx', mode)
    try {
      await file
        .writeFile(text)
        .then(() => file.sync())
        .finally(() => file.close())
      // Checked at the last moment, because a process that took over the lock may have written something newer.
      if (!(await held.isHeld())) throw new Error('the file lock was lost')
      // A person who edits the file takes no lock. Text that is written between this check and the next line is lost.
      const found = await textIn(path)
      if (found && replaces?.includes(found) === false) throw new Error('the file was changed')
      await rename(draft, path)
    } catch (error) {
      await remove(draft)
      throw error
    }
    await syncFolder(dirname(path))
  }

  async function load(): Promise<ClientState | undefined> {
    const path = await resolved()
    // Reads the note first. If a rotation ends in between, the note then matches no token.
    const rotation = await textIn(`${path}.rotation`)
    const token = await textIn(path)
    if (!token) return undefined
    return rotation === undefined ? { token } : { token, rotation }
  }

  return {
    // The client's error for a missing token shows this name.
    load: Object.defineProperty(load, 'name', { value: `fileStorage(${JSON.stringify(given)}).load` }),
    async save({ token, rotation }, replaces) {
      const path = await resolved()
      if (rotation !== undefined) await replace(`${path}.rotation`, rotation, PRIVATE)
      if ((await textIn(path)) !== token) await replace(path, `${token}\n`, await modeOf(path), replaces)
      if (rotation === undefined) await remove(`${path}.rotation`)
    },
    async lock(work) {
      const path = await resolved()
      const lock = await takeLock(`${path}.lock`, times, async (owner) => {
        // The draft of a killed process may contain a token.
        for (const name of [path, `${path}.rotation`]) await remove(draftOf(name, owner))
      })
      held = lock
      try {
        await work()
      } finally {
        // Another process may have taken the lock over while this one was suspended. Then later work of this process may already hold a new one.
        if (held === lock) held = undefined
        await lock.release()
      }
    },
  }
}

/** Returns the permissions of the new file. A file that everyone can read has the shell's default permissions. Access of the group alone is deliberate. */
async function modeOf(path: string): Promise<number> {
  const mode = ((await unless('ENOENT', stat(path)))?.mode ?? PRIVATE) & 0o777
  return (mode & EVERYONE) === 0 ? mode : PRIVATE
}

async function textIn(path: string): Promise<string | undefined> {
  return (await unless('ENOENT', readText(path)))?.trim()
}

function draftOf(path: string, owner: string): string {
  return `${path}.${nameOf(owner)}.draft`
}

/** Makes a rename survive a power loss. Not every platform can open a folder. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}
