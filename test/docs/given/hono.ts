import type { Handler, Hono } from 'hono'

export { authenticate, management, protect, requireScopes } from 'latchkey/hono'

export declare const app: Hono
export declare const showWarehouse: Handler
