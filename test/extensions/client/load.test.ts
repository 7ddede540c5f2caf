import { afterEach, describe, expect, it } from 'vitest'
import { complaints, type Stage, startStage } from './load/run-load.js'

// `npm run test:client` sends a thousand requests a second through twenty rotations.
describe('a client with file storage, against Express and SQLite', { timeout: 120_000 }, () => {
  let stage: Stage | undefined
  const slow = { timeout: 60_000, interval: 100 }

  afterEach(async () => {
    await stage?.close()
    stage = undefined
  })

  async function found({ line, figures }: Stage): Promise<readonly string[]> {
    return complaints({ figures, line: await line() })
  }

  it('a file-storage client rotates on schedule under load without a failed request', async () => {
    stage = await startStage()
    const { line, figures } = stage
    const holder = stage.start({ perSecond: 100, overlapHours: 2 })
    await expect.poll(async () => (await line()).tokens, slow).toBeGreaterThan(5)
    await holder.stop()
    expect(await found(stage)).toEqual([])
    expect(figures.succeeded).toBeGreaterThan(100)
    expect(figures.used.size).toBeGreaterThan(4)
    expect(figures.errors).toEqual([])
  })

  it('processes that share a token file rotate once together without a failed request', async () => {
    stage = await startStage()
    const { line, figures } = stage
    const holders = [1, 2].map(() => stage?.start({ perSecond: 50, overlapHours: 5 }))
    await expect.poll(async () => (await line()).tokens, slow).toBeGreaterThan(4)
    await Promise.all(holders.map((holder) => holder?.stop()))
    expect(await found(stage)).toEqual([])
    // Without the lock, each rotation by one process would cause a 409 for the other.
    const { rotations, tokens } = await line()
    expect(rotations).toEqual({ 201: tokens - 1 })
    expect(figures.errors).toEqual([])
  })

  it('a client killed after a rotation but before its response completes the rotation at its next start', async () => {
    stage = await startStage()
    const { line } = stage
    const victim = stage.start({ perSecond: 50, overlapHours: 60, quickLock: true })
    await stage.loseNextAnswer()
    await victim.kill()
    const before = (await line()).tokens
    const next = stage.start({ perSecond: 50, overlapHours: 60, quickLock: true })
    await expect.poll(async () => (await line()).tokens, slow).toBeGreaterThan(before + 1)
    await next.stop()
    expect(await found(stage)).toEqual([])
  })

  it('a client killed before it saves the new token completes the rotation at its next start', async () => {
    stage = await startStage()
    const { line } = stage
    const victim = stage.start({ perSecond: 50, overlapHours: 60, quickLock: true, stuckSave: true })
    await victim.says('saving')
    await victim.kill()
    const before = (await line()).tokens
    const next = stage.start({ perSecond: 50, overlapHours: 60, quickLock: true })
    await expect.poll(async () => (await line()).tokens, slow).toBeGreaterThan(before + 1)
    await next.stop()
    expect(await found(stage)).toEqual([])
  })

  it('a client suspended mid-rotation adopts the token that another process rotated to', async () => {
    stage = await startStage()
    const { line, figures } = stage
    const sleeper = stage.start({ perSecond: 20, overlapHours: 60, quickLock: true })
    await stage.loseNextAnswer()
    sleeper.suspend()
    const before = (await line()).tokens
    const other = stage.start({ perSecond: 20, overlapHours: 60, quickLock: true })
    await expect.poll(async () => (await line()).tokens, slow).toBeGreaterThan(before)
    const used = figures.used.size
    sleeper.wake()
    await expect.poll(async () => (await line()).tokens, slow).toBeGreaterThan(before + 2)
    await Promise.all([sleeper.stop(), other.stop()])
    expect(await found(stage)).toEqual([])
    expect(figures.used.size).toBeGreaterThan(used)
  })

  it('no request of one process fails while the other process is killed repeatedly', async () => {
    stage = await startStage()
    const steady = stage.start({ perSecond: 50, overlapHours: 60, quickLock: true })
    for (let kills = 0; kills < 4; kills += 1) {
      const victim = stage.start({ perSecond: 50, overlapHours: 60, quickLock: true })
      await victim.says('progress')
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 1000))
      await victim.kill()
    }
    await steady.stop()
    expect(await found(stage)).toEqual([])
    expect(stage.figures.succeeded).toBeGreaterThan(50)
  })
})
