import type { Server } from 'node:http'
import type { AuditEvent, EventConsumer, Latchkey, TokenStore } from 'latchkey'

/** The exports of the programs on the pages in docs/operations. */
export declare function exportEvents<S extends string>(tokens: Latchkey<S>, file: string): EventConsumer
export declare function reapply<S extends string>(
  tokens: Latchkey<S>,
  events: Iterable<AuditEvent>,
): Promise<{ readonly ended: number; readonly lost: ReadonlySet<string>; readonly review: readonly AuditEvent[] }>
export declare function tokensByPepper<S extends string>(tokens: Latchkey<S>): Promise<ReadonlyMap<string, readonly string[]>>
export declare function environments(
  store: TokenStore,
  peppers: { readonly live: string; readonly test: string },
): { readonly live: Latchkey; readonly test: Latchkey }
export declare function stop<S extends string>(server: Server, tokens: Latchkey<S>): Promise<void>
export declare function behindProxy<S extends string>(tokens: Latchkey<S>, proxies: readonly string[]): import('express').Express
