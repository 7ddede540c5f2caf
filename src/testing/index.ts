export { storeContract } from './store-contract/index.js'
export type { ContractRunner, StoreContractOptions, StoreSubject } from './store-contract/types.js'
