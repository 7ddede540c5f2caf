import { createClient } from 'latchkey/client'
import { createFileStorage } from '../../../../src/extensions/client/node/file-storage.js'
import type { HolderOptions, HolderSays } from './protocol.js'

// A holder as users run it: a client on a file, at a steady rate whether or not answers come. Started by `run-load.ts`.
const { origin, file, perSecond, overlap, quickLock, stuckSave }: HolderOptions = JSON.parse(process.argv[2] ?? '')
const say = (message: HolderSays): void => void process.send?.(message)

const storage = createFileStorage(file, quickLock ? { beatMs: 50, staleMs: 500, pollMs: 10, patienceMs: 30_000 } : undefined)
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
  overlap,
  deadline: 5,
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
  const began = performance.now()
  try {
    const response = await client.fetch(`${origin}/api/stock`)
    const { caller } = (await response.json()) as { caller?: string }
    if (response.status === 200) succeeded += 1
    else failed.push(`${response.status}`)
    if (caller !== undefined) used.add(caller)
  } catch (error) {
    failed.push(error instanceof Error ? `${error.message}: ${error.cause}` : String(error))
  }
  latencies.push(performance.now() - began)
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
/** A machine that cannot keep up sends fewer, and the figures tell. */
const MOST_UNDER_WAY = 256
let owed = 0
let last = performance.now()
const ticking = setInterval(() => {
  const now = performance.now()
  owed += ((now - last) * perSecond) / 1000
  last = now
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
