import { expect, it } from 'vitest'
import { Lane, type LanePace } from '../../../src/extensions/relay/lane.js'
import { FakeTime } from './fake-time.js'

function laneOf(pace: LanePace) {
  const time = new FakeTime()
  const worked: number[] = []
  const start = time.now()
  const lane = new Lane(time, pace, () => void worked.push(time.now() - start))
  return { time, worked, lane }
}

it('A lane that is asked without end works once in each gap, behind what it had saved up', async () => {
  const { time, worked, lane } = laneOf({ gapMs: 100, burst: 3 })
  for (let ms = 0; ms < 450; ms += 1) {
    lane.request()
    lane.request()
    await time.pass(1)
  }
  expect(worked).toEqual([0, 1, 2, 100, 200, 300, 400])
})

it('What can wait leaves to the rest what is saved up, and goes along with it', async () => {
  const { time, worked, lane } = laneOf({ gapMs: 100, burst: 3, collectMs: 5 })
  lane.request('saved up')
  await time.pass(10)
  expect(worked).toEqual([5])
  lane.request('saved up')
  await time.pass(40)
  expect(worked).toEqual([5])
  lane.request()
  await time.pass(10)
  expect(worked).toEqual([5, 55])
  await time.pass(500)
  expect(worked).toEqual([5, 55])
})

it('A lane that has stopped does nothing more', async () => {
  const { time, worked, lane } = laneOf({ gapMs: 100 })
  lane.request()
  lane.stop()
  await time.pass(500)
  expect(worked).toEqual([])
})
