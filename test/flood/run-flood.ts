import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { bundle } from '../support/bundle.js'
import type { Flooded, FloodOptions } from './flood.js'

/** Runs a flood in a separate process, where nothing else is in memory. */
export async function runFlood(options: FloodOptions): Promise<Flooded> {
  const program = await bundle(new URL('./flood.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program, JSON.stringify(options)])
  return JSON.parse(stdout) as Flooded
}

/** The requirements that a flood violated. */
export function complaints(flooded: Flooded): string[] {
  const found: string[] = []
  if (flooded.heapGrowthMiB > 32) found.push(`the heap grew by ${flooded.heapGrowthMiB.toFixed(1)} MiB`)
  if (flooded.storeReads > flooded.storeReadsAllowed) found.push(`${flooded.storeReads} IDs were looked up, more than the budgets allow`)
  if (flooded.validRefused > 0) found.push(`${flooded.validRefused} valid tokens were refused`)
  if (flooded.codes.ok !== undefined) found.push('a token that was never minted was accepted')
  return found
}

/** Describes a flood in one line. */
export function tell(flooded: Flooded, pepper: boolean): string {
  const { quietMicros: quiet, floodMicros: flood } = flooded
  return [
    `${flooded.forged} distinct forged tokens ${pepper ? 'with' : 'without'} a pepper in ${flooded.seconds.toFixed(1)} s`,
    `heap grew by ${flooded.heapGrowthMiB.toFixed(1)} MiB at most`,
    `${flooded.storeReads} IDs looked up in the store`,
    `a valid token took ${quiet.median.toFixed(2)} µs (median) when quiet, ${flood.median.toFixed(2)} in the flood: ${(flood.median / quiet.median).toFixed(2)} times`,
    `p99 ${quiet.p99.toFixed(1)} and ${flood.p99.toFixed(1)} µs`,
    JSON.stringify(flooded.codes),
  ].join('; ')
}
