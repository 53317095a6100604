/** Maximum number of deliveries that an operator's request changes in one transaction: more would hold up accepts. */
export const DELIVERY_BATCH = 200;
