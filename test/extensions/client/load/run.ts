import { complaints, type Stage, startStage, tell } from './run-load.js'

// `npm run test:client`: the client under full load through twenty rotations: alone, with a second process on its file, and while processes are killed.
const PER_SECOND = 1000
const ROTATIONS = 20
/** In seconds of real time: longer than any request takes, even on a busy machine. */
const OVERLAP = 8
/** A token whose successors were lost expires with its first overlap, so all attempts must happen within it. */
const LONG_OVERLAP = 600

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function through(stage: Stage, tokens: number): Promise<void> {
  while ((await stage.line()).tokens < tokens) await pause(100)
}

async function scenario(name: string, act: (stage: Stage) => Promise<void>): Promise<void> {
  const stage = await startStage()
  try {
    const began = performance.now()
    await act(stage)
    const seconds = (performance.now() - began) / 1000
    const line = await stage.line()
    console.log(`${name}: ${tell(stage.figures, line, seconds)}`)
    for (const complaint of complaints({ figures: stage.figures, line })) {
      console.log(`  VIOLATION: ${complaint}`)
      process.exitCode = 1
    }
    for (const error of new Set(stage.figures.errors)) console.log(`  reported: ${error}`)
  } finally {
    await stage.close()
  }
}

await scenario('one process', async (stage) => {
  const holder = stage.start({ perSecond: PER_SECOND, overlapHours: OVERLAP })
  await through(stage, ROTATIONS + 1)
  await holder.stop()
})

await scenario('two processes on one file', async (stage) => {
  const holders = [1, 2].map(() => stage.start({ perSecond: PER_SECOND / 2, overlapHours: OVERLAP }))
  await through(stage, ROTATIONS + 1)
  await Promise.all(holders.map((holder) => holder.stop()))
})

// One process is killed at random times; the other process and the next start must continue.
await scenario('processes killed at random', async (stage) => {
  const start = () => stage.start({ perSecond: PER_SECOND / 2, overlapHours: LONG_OVERLAP })
  const steady = start()
  let victim = start()
  for (let kills = 0; kills < ROTATIONS; kills += 1) {
    await pause(500 + Math.random() * 1500)
    await victim.kill()
    victim = start()
  }
  await Promise.all([steady.stop(), victim.stop()])
})

await scenario('responses lost, and the process killed each time', async (stage) => {
  for (let kills = 0; kills < 5; kills += 1) {
    const victim = stage.start({ perSecond: PER_SECOND / 2, overlapHours: LONG_OVERLAP })
    await stage.loseNextAnswer()
    await victim.kill()
  }
  const lost = (await stage.line()).tokens
  const last = stage.start({ perSecond: PER_SECOND / 2, overlapHours: LONG_OVERLAP })
  await through(stage, lost + 3)
  await last.stop()
})
