import type { FastifyInstance, RouteHandlerMethod } from 'fastify'

export { authenticate, management, protect, requireScopes } from 'latchkey/fastify'

export declare const app: FastifyInstance
export declare const api: FastifyInstance
export declare const show: RouteHandlerMethod
