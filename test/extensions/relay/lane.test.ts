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

it('a lane under constant load uses up its burst and then runs once per interval', async () => {
  const { time, worked, lane } = laneOf({ gapMs: 100, burst: 3 })
  for (let ms = 0; ms < 450; ms += 1) {
    lane.request()
    lane.request()
    await time.pass(1)
  }
  expect(worked).toEqual([0, 1, 2, 100, 200, 300, 400])
})

it('a deferrable request leaves the burst for urgent requests and runs with the next urgent request', async () => {
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

it('a stopped lane does nothing more', async () => {
  const { time, worked, lane } = laneOf({ gapMs: 100 })
  lane.request()
  lane.stop()
  await time.pass(500)
  expect(worked).toEqual([])
})
