import type { Express, Request, RequestHandler, Response } from 'express'

export { authenticate, management, protect, requireScopes } from 'latchkey/express'

export declare const app: Express
export declare const req: Request
export declare const res: Response
export declare const handler: RequestHandler
export declare const showWarehouse: RequestHandler<{ id: string }>
