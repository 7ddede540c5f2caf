import type { Section } from './result.js'

// Runs one section of the benchmark in a separate process, so its memory and compiled code cannot affect the next section.
const [, , name = '', quick = '', worker = '', builds = ''] = process.argv
const sections: { readonly [name: string]: () => Promise<Section> } = {
  verify: async () => (await import('./sections/verify.js')).verify,
  peers: async () => (await import('./sections/peers.js')).peers,
  misses: async () => (await import('./sections/misses.js')).misses,
  size: async () => (await import('./sections/size.js')).size,
  requests: async () => (await import('./sections/requests.js')).requests,
  http: async () => (await import('./sections/http.js')).http,
  throughput: async () => (await import('./sections/throughput.js')).throughput,
  revocation: async () => (await import('./sections/revocation.js')).revocation,
  usage: async () => (await import('./sections/usage.js')).usage,
  memory: async () => (await import('./sections/memory.js')).memory,
  telemetry: async () => (await import('./sections/telemetry.js')).telemetryCost,
  events: async () => (await import('./sections/events.js')).events,
}
if (name === 'server') {
  // The same program also serves as the server that a section puts under load.
  await (await import('./servers.js')).serve(quick)
} else {
  const load = sections[name]
  if (load === undefined) throw new Error(`unknown section: ${name}`)
  const result = await (await load())({ quick: quick === 'quick', worker, builds })
  process.send?.(result, () => process.exit())
}
