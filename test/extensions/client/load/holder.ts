import { createClient } from 'latchkey/client'
import { createFileStorage } from '../../../../src/extensions/client/node/file-storage.js'
import { type HolderOptions, type HolderSays, SPEED } from './protocol.js'

// A holder as in production: a client with file storage that sends at a steady rate even when responses are slow. Started by `run-load.ts`.
const { origin, file, perSecond, overlapHours, quickLock, stuckSave }: HolderOptions = JSON.parse(process.argv[2] ?? '')
const say = (message: HolderSays): void => void process.send?.(message)

const now = performance.now.bind(performance)
performance.now = () => now() * SPEED
const staleMs = (quickLock ? 500 : 6000) * SPEED
const storage = createFileStorage(file, { beatMs: quickLock ? 50 : 1000, staleMs, pollMs: 20, patienceMs: 30_000 * SPEED })
const errors: string[] = []
const client = createClient({
  manage: `${origin}/tokens`,
  ...storage,
  save: async (state) => {
    if (stuckSave && state.rotation === undefined) {
      say({ says: 'saving' })
      return new Promise<void>(() => undefined)
    }
    return storage.save(state)
  },
  overlap: `${overlapHours}h`,
  // Only an operation that hangs takes that long, even on a busy machine.
  deadline: 15,
  onError: ({ code, message }) => errors.push(`${code}: ${message}`),
})

let sent = 0
let succeeded = 0
let underWay = 0
let failed: string[] = []
let latencies: number[] = []
const used = new Set<string>()

async function ask(): Promise<void> {
  underWay += 1
  const began = now()
  try {
    const response = await client.fetch(`${origin}/api/stock`)
    const { caller } = (await response.json()) as { caller?: string }
    if (response.status === 200) succeeded += 1
    else failed.push(`${response.status}`)
    if (caller !== undefined) used.add(caller)
  } catch (error) {
    failed.push(error instanceof Error ? `${error.message}: ${error.cause}` : String(error))
  }
  latencies.push(now() - began)
  sent += 1
  underWay -= 1
}

function report(): void {
  say({ says: 'progress', sent, succeeded, failed, used: [...used], errors: errors.splice(0), latencies })
  sent = 0
  succeeded = 0
  failed = []
  latencies = []
}

const TICK_MS = 10
/** The maximum number of requests in flight. An overloaded machine sends fewer requests, and the figures show it. */
const MOST_UNDER_WAY = 256
let owed = 0
let last = now()
const ticking = setInterval(() => {
  owed += ((now() - last) * perSecond) / 1000
  last = now()
  for (; owed >= 1; owed -= 1) if (underWay < MOST_UNDER_WAY) void ask()
}, TICK_MS)
const reporting = setInterval(report, 50)

process.on('message', async () => {
  clearInterval(ticking)
  while (underWay > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  await client.settled()
  clearInterval(reporting)
  report()
  say({ says: 'stopped' })
  process.disconnect()
})
process.on('disconnect', () => process.exit())
