export { ClientError, type ClientErrorCode, type ClientErrorDetails } from './client-error.js'
export { type Client, createClient } from './create-client.js'
export type { ClientOptions, ClientState, ClientStorage, Fetch } from './options.js'
