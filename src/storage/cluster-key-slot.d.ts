/** The call we use of this untyped package: in which of a cluster's 16,384 slots a key lies. */
declare module 'cluster-key-slot' {
  export default function slotOf (key: string): number
}
