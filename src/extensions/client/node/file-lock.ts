import { randomUUID } from 'node:crypto'
import { type FileHandle, open, readFile, rm, stat } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'

/** How a lock tells the living from the dead. */
export type LockTimes = {
  /** How often the holder shows that it lives. */
  readonly beatMs: number
  /** How long nothing may have been heard of it before the lock is taken away. */
  readonly staleMs: number
  /** How often those who wait look again. */
  readonly pollMs: number
  /** How long to wait for a holder that lives. */
  readonly patienceMs: number
}

/** A lock that is held. */
export type HeldLock = {
  readonly owner: string
  /** Is it still held? A process that stood still for too long has lost it. */
  isHeld(): Promise<boolean>
  release(): Promise<void>
}

/**
 * Takes the lock of a file, waiting for it: a second file that only one process can create.
 *
 * Whoever is killed leaves the file behind. Those who wait see that its time of change stands still, by their own clock alone, and take it away. Process
 * numbers would be quicker and wrong: in containers two processes have the same one.
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
      // Whoever was about to take it away may be dead too.
      if (performance.now() - since >= 2 * times.staleMs) {
        await rm(claimOf(path, now.owner), { force: true })
        since = performance.now()
      }
    }
    await pause(times.pollMs)
  }
  throw new Error('another process holds the lock of the file')
}

async function tryCreate(path: string, { beatMs }: LockTimes): Promise<HeldLock | undefined> {
  const owner = randomUUID()
  const file = await unless('EEXIST', open(path, 'wx', 0o600))
  if (file === undefined) return undefined
  try {
    await file.write(owner)
    // Until now it had no owner, and could be taken for the lock of somebody who died at this point.
    if (!(await isOwnedBy(path, owner))) {
      await file.close()
      return undefined
    }
  } catch (error) {
    await file.close()
    await rm(path, { force: true })
    throw error
  }
  // By its handle, not its path: once the lock is lost, the path is another's.
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
  return (await unless('ENOENT', readFile(path, 'utf8'))) === owner
}

async function touch(file: FileHandle): Promise<void> {
  const now = new Date()
  await file.utimes(now, now).catch(() => undefined)
}

async function look(path: string): Promise<{ readonly owner: string; readonly sign: string }> {
  const [owner, stats] = await Promise.all([unless('ENOENT', readFile(path, 'utf8')), unless('ENOENT', stat(path))])
  return { owner: owner ?? '', sign: stats === undefined ? '' : `${owner} ${stats.ino} ${stats.mtimeMs}` }
}

/**
 * Removes the lock of this owner. Its holder and several who take it for dead may try at once: only whoever claims the removal may remove, so that none of
 * them removes the lock that the next one has created meanwhile.
 */
export async function takeAway(path: string, owner: string): Promise<boolean> {
  const claim = claimOf(path, owner)
  const file = await unless('EEXIST', open(claim, 'wx', 0o600))
  if (file === undefined) return false
  try {
    await file.close()
    if (!(await isOwnedBy(path, owner))) return false
    await rm(path, { force: true })
    return true
  } finally {
    await rm(claim, { force: true })
  }
}

/** The file by which one process claims the removal of this owner's lock. */
export function claimOf(path: string, owner: string): string {
  return `${path}.${owner}`
}

/** `undefined` where the file system answers with this code. */
export async function unless<T>(code: string, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (Reflect.get(Object(error), 'code') === code) return undefined
    throw error
  }
}
