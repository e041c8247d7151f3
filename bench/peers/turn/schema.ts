import { z } from "zod";

/** The standard tool's name and description, and its arguments as the frameworks' documents write them. */
export const toolName = "order_refund";
export const description = "Refund a paid order. Not for cancelling an unpaid one.";
export const inputSchema = z.strictObject({
  customerId: z.string().regex(/^cus_[0-9]{8}$/),
  orderId: z.string(),
  amount: z.number().positive().max(10_000),
  currency: z.enum(["EUR", "USD", "GBP"]),
  reason: z.string(),
  items: z.array(z.strictObject({ sku: z.string(), quantity: z.number().int().min(1) })).max(50),
  tags: z.array(z.string()),
  note: z.string(),
});
