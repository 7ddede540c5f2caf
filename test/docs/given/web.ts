export { authenticate, management, requireScopes } from 'latchkey/web'
