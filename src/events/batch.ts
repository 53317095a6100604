/** Maximum number of deliveries that an operator's request changes in one transaction. More would delay new events. */
export const DELIVERY_BATCH = 200;
