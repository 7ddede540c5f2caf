import { randomUUID } from 'node:crypto'
import { type FileHandle, lstat, open, rm } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { NO_TEXT, readText } from './read-text.js'

/** The timing by which a lock distinguishes live holders from dead ones. */
export type LockTimes = {
  /** How often the holder updates the lock. */
  readonly beatMs: number
  /** How long a lock may go without an update before it is removed. */
  readonly staleMs: number
  /** How often waiting processes check the lock. */
  readonly pollMs: number
  /** How long to wait for a live holder. */
  readonly patienceMs: number
}

/** A lock that this process holds. */
export type HeldLock = {
  readonly owner: string
  /** Whether the lock is still held. A process that was suspended for too long has lost it. */
  isHeld(): Promise<boolean>
  release(): Promise<void>
}

/**
 * Takes the lock of a file and waits for it if necessary. The lock is a second file that only one process can create.
 *
 * A killed process leaves the lock file behind. Waiting processes see that its modification time no longer changes, measured by their own clock, and remove it.
 * Process IDs would be faster but wrong, because processes in different containers can have the same ID.
 */
export async function takeLock(path: string, times: LockTimes, onStale: (owner: string) => Promise<void>): Promise<HeldLock> {
  let seen = ''
  let since = 0
  const giveUpAt = performance.now() + times.patienceMs
  while (performance.now() < giveUpAt) {
    const held = await tryCreate(path, times)
    if (held !== undefined) return held
    const now = await look(path)
    if (now.sign !== seen) {
      seen = now.sign
      since = performance.now()
    } else if (performance.now() - since >= times.staleMs) {
      if (await takeAway(path, now.owner)) {
        await onStale(now.owner)
        continue
      }
      // The process that claimed the removal may have died too.
      if (performance.now() - since >= 2 * times.staleMs) {
        await remove(claimOf(path, now.owner))
        since = performance.now()
      }
    }
    await pause(times.pollMs)
  }
  throw new Error('another process holds the file lock')
}

async function tryCreate(path: string, { beatMs }: LockTimes): Promise<HeldLock | undefined> {
  const owner = randomUUID()
  const file = await unless('EEXIST', open(path, 'wx', 0o600))
  if (file === undefined) return undefined
  try {
    await file.write(owner)
    // Until now the lock had no owner, and another process could mistake it for the lock of a process that died at this point.
    if (!(await isOwnedBy(path, owner))) {
      await file.close()
      return undefined
    }
  } catch (error) {
    await file.close()
    await remove(path)
    throw error
  }
  // Uses the handle and not the path: once the lock is lost, the path belongs to another process.
  const beat = setInterval(() => void touch(file), beatMs)
  beat.unref()
  return {
    owner,
    isHeld: () => isOwnedBy(path, owner),
    async release() {
      clearInterval(beat)
      await file.close()
      await takeAway(path, owner)
    },
  }
}

async function isOwnedBy(path: string, owner: string): Promise<boolean> {
  return (await readOwner(path)) === owner
}

// Anyone who can write to the token's folder may have replaced the lock with something else. The replacement has no owner, and is removed like the lock of
// a dead process.
async function readOwner(path: string): Promise<string | undefined> {
  try {
    return await readText(path)
  } catch (error) {
    const code: unknown = Reflect.get(Object(error), 'code')
    if (code === NO_TEXT || code === 'ELOOP') return ''
    if (code !== 'ENOENT') throw error
    // If the path is a link, only its target is missing.
    return (await unless('ENOENT', lstat(path))) === undefined ? undefined : ''
  }
}

async function touch(file: FileHandle): Promise<void> {
  const now = new Date()
  await file.utimes(now, now).catch(() => undefined)
}

async function look(path: string): Promise<{ readonly owner: string; readonly sign: string }> {
  const [owner, stats] = await Promise.all([readOwner(path), unless('ENOENT', lstat(path))])
  return { owner: owner ?? '', sign: stats === undefined ? '' : `${owner} ${stats.ino} ${stats.mtimeMs}` }
}

/**
 * Removes the lock of this owner. Its holder and several waiting processes may try at the same time. Only the process that claims the removal may remove it,
 * so no process removes the lock that the next holder has created in the meantime.
 */
export async function takeAway(path: string, owner: string): Promise<boolean> {
  const claim = claimOf(path, owner)
  const file = await unless('EEXIST', open(claim, 'wx', 0o600))
  if (file === undefined) return false
  try {
    await file.close()
    if (!(await isOwnedBy(path, owner))) return false
    await remove(path)
    return true
  } finally {
    await remove(claim)
  }
}

/** Returns the path of the file that a process uses to claim the removal of this owner's lock. */
export function claimOf(path: string, owner: string): string {
  return `${path}.${nameOf(owner)}`
}

/** A UUID, or at least nothing that leads out of the folder. */
const UUID = /^[0-9a-f-]{36}$/

/** Returns the owner of a lock as part of a file name. Anyone who can write to the token's folder may have written the lock file. */
export function nameOf(owner: string): string {
  return UUID.test(owner) ? owner : 'unknown'
}

/** Returns `undefined` if the file system fails with this code. */
export async function unless<T>(code: string, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (Reflect.get(Object(error), 'code') === code) return undefined
    throw error
  }
}

/** Removes a file, if it exists. */
export function remove(path: string): Promise<void> {
  return rm(path, { force: true })
}
