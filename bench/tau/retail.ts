import type { Json } from "../../src/domain/json.ts";
import { calculated } from "./calculate.ts";
import { refuse, roundedTo2, type Database, type DomainPort, type ReplayTools } from "./domain.ts";

interface Address {
  readonly address1: string;
  readonly address2: string;
  readonly city: string;
  readonly state: string;
  readonly country: string;
  readonly zip: string;
}

interface Payment {
  readonly transaction_type: "payment" | "refund";
  readonly amount: number;
  readonly payment_method_id: string;
}

interface Variant {
  readonly item_id: string;
  readonly options: Json;
  readonly available: boolean;
  readonly price: number;
}

interface Product {
  readonly name: string;
  readonly product_id: string;
  readonly variants: Readonly<Record<string, Variant>>;
}

interface Method {
  readonly source: string;
  readonly id: string;
  balance?: number;
}

interface User {
  readonly name: { readonly first_name: string; readonly last_name: string };
  address: Address;
  readonly email: string;
  readonly payment_methods: Readonly<Record<string, Method>>;
}

interface OrderItem {
  readonly product_id: string;
  item_id: string;
  price: number;
  options: Json;
}

interface Order {
  readonly user_id: string;
  address: Address;
  readonly items: readonly OrderItem[];
  status: string;
  readonly payment_history: Payment[];
  cancel_reason?: string;
  return_items?: readonly string[];
  return_payment_method_id?: string;
  exchange_items?: readonly string[];
  exchange_new_items?: readonly string[];
  exchange_payment_method_id?: string;
  exchange_price_difference?: number;
}

interface Shop {
  readonly products: Readonly<Record<string, Product>>;
  readonly users: Readonly<Record<string, User>>;
  readonly orders: Readonly<Record<string, Order>>;
}

interface Exchange {
  readonly order_id: string;
  readonly item_ids: readonly string[];
  readonly new_item_ids: readonly string[];
  readonly payment_method_id: string;
}

function find<Entity>(table: Readonly<Record<string, Entity>>, id: string, what: string): Entity {
  return (Object.hasOwn(table, id) ? table[id] : undefined) ?? refuse(`${what} not found`);
}

/** The tools of the retail domain as its description (TOOLS.md beside the data) tells them; none of them asks who is calling. */
const tools: ReplayTools = (database: Database) => {
  const shop = database as unknown as Shop;
  const carriedOut: Record<string, (args: never) => unknown> = {
    find_user_id_by_email: ({ email }: { email: string }) => userWhere(shop, (user) => user.email.toLowerCase() === email.toLowerCase()),
    find_user_id_by_name_zip: (wanted: { first_name: string; last_name: string; zip: string }) =>
      userWhere(
        shop,
        ({ name, address }) =>
          name.first_name.toLowerCase() === wanted.first_name.toLowerCase() &&
          name.last_name.toLowerCase() === wanted.last_name.toLowerCase() &&
          address.zip === wanted.zip,
      ),
    get_user_details: ({ user_id }: { user_id: string }) => find(shop.users, user_id, "user"),
    get_order_details: ({ order_id }: { order_id: string }) => find(shop.orders, order_id, "order"),
    get_product_details: ({ product_id }: { product_id: string }) => find(shop.products, product_id, "product"),
    get_item_details: ({ item_id }: { item_id: string }) => variantOf(shop, item_id) ?? refuse("item not found"),
    list_all_product_types: () =>
      Object.fromEntries(
        Object.values(shop.products)
          .map(({ name, product_id }): [string, string] => [name, product_id])
          .sort(([left], [right]) => (left < right ? -1 : 1)),
      ),
    think: () => "",
    calculate: ({ expression }: { expression: string }) => calculated(expression),
    transfer_to_human_agents: () => "Transfer successful",
    cancel_pending_order: (args: { order_id: string; reason: string }) => cancel(shop, args),
    modify_pending_order_address: ({ order_id, ...address }: Address & { order_id: string }) => {
      const order = pending(shop, order_id, "modified");
      order.address = addressOf(address);
      return order;
    },
    modify_pending_order_items: (args: Exchange) => modifyItems(shop, args),
    modify_pending_order_payment: (args: { order_id: string; payment_method_id: string }) => modifyPayment(shop, args),
    modify_user_address: ({ user_id, ...address }: Address & { user_id: string }) => {
      const user = find(shop.users, user_id, "user");
      user.address = addressOf(address);
      return user;
    },
    return_delivered_order_items: (args: Omit<Exchange, "new_item_ids">) => returnItems(shop, args),
    exchange_delivered_order_items: (args: Exchange) => exchangeItems(shop, args),
  };
  return carriedOut;
};

function addressOf({ address1, address2, city, state, country, zip }: Address): Address {
  return { address1, address2, city, state, country, zip };
}

function userWhere(shop: Shop, holds: (user: User) => boolean): string {
  for (const [id, user] of Object.entries(shop.users)) if (holds(user)) return id;
  return refuse("user not found");
}

function variantOf(shop: Shop, itemId: string): Variant | undefined {
  for (const product of Object.values(shop.products)) if (Object.hasOwn(product.variants, itemId)) return product.variants[itemId];
  return undefined;
}

function pending(shop: Shop, orderId: string, done: string): Order {
  const order = find(shop.orders, orderId, "order");
  return order.status === "pending" ? order : refuse(`non-pending order cannot be ${done}`);
}

function methodOf(shop: Shop, order: Order, id: string): Method {
  return find(find(shop.users, order.user_id, "user").payment_methods, id, "payment method");
}

function pay(method: Method, amount: number): void {
  if (method.source === "gift_card") method.balance = roundedTo2((method.balance ?? 0) - amount);
}

function checkBalance(method: Method, amount: number, what: string): void {
  if (method.source === "gift_card" && (method.balance ?? 0) < amount) refuse(`insufficient gift card balance to pay for the ${what}`);
}

function cancel(shop: Shop, { order_id, reason }: { readonly order_id: string; readonly reason: string }): Order {
  const order = pending(shop, order_id, "cancelled");
  if (!["no longer needed", "ordered by mistake"].includes(reason)) refuse("invalid reason");
  const refunds = order.payment_history.map(({ amount, payment_method_id }): Payment => ({
    transaction_type: "refund",
    amount,
    payment_method_id,
  }));
  for (const { amount, payment_method_id } of refunds) pay(methodOf(shop, order, payment_method_id), -amount);
  order.status = "cancelled";
  order.cancel_reason = reason;
  order.payment_history.push(...refunds);
  return order;
}

function checkItems(order: Order, itemIds: readonly string[], words: (id: string) => string): void {
  const held = order.items.map((item) => item.item_id);
  const count = (list: readonly string[], id: string): number => list.filter((each) => each === id).length;
  for (const id of itemIds) if (count(itemIds, id) > count(held, id)) refuse(words(id));
}

/** The new variants in the order of the old items, and what the change costs. */
function exchanged(
  shop: Shop,
  order: Order,
  args: Exchange,
): { readonly changes: readonly (readonly [OrderItem, Variant])[]; readonly difference: number } {
  checkItems(order, args.item_ids, (id) => `${id} not found`);
  if (args.item_ids.length !== args.new_item_ids.length) refuse("the number of items to be exchanged should match");
  let difference = 0;
  const changes = args.item_ids.map((id, index): readonly [OrderItem, Variant] => {
    const newId = args.new_item_ids[index] as string;
    const item = order.items.find((each) => each.item_id === id) as OrderItem;
    const variant = shop.products[item.product_id]?.variants[newId];
    if (variant === undefined || !variant.available) return refuse(`new item ${newId} not found or available`);
    difference += variant.price - item.price;
    return [item, variant];
  });
  return { changes, difference };
}

function modifyItems(shop: Shop, args: Exchange): Order {
  const order = pending(shop, args.order_id, "modified");
  const { changes, difference } = exchanged(shop, order, args);
  const method = methodOf(shop, order, args.payment_method_id);
  checkBalance(method, difference, "new item");
  order.payment_history.push({
    transaction_type: difference > 0 ? "payment" : "refund",
    amount: Math.abs(difference),
    payment_method_id: args.payment_method_id,
  });
  pay(method, difference);
  for (const [item, variant] of changes) {
    item.item_id = variant.item_id;
    item.price = variant.price;
    item.options = variant.options;
  }
  order.status = "pending (item modified)";
  return order;
}

function modifyPayment(shop: Shop, args: { readonly order_id: string; readonly payment_method_id: string }): Order {
  const order = pending(shop, args.order_id, "modified");
  const method = methodOf(shop, order, args.payment_method_id);
  const [first, ...more] = order.payment_history;
  if (first?.transaction_type !== "payment" || more.length > 0) return refuse("there should be exactly one payment for a pending order");
  if (first.payment_method_id === args.payment_method_id) refuse("the new payment method should be different from the current one");
  const { amount, payment_method_id } = first;
  checkBalance(method, amount, "order");
  order.payment_history.push(
    { transaction_type: "payment", amount, payment_method_id: args.payment_method_id },
    { transaction_type: "refund", amount, payment_method_id },
  );
  pay(method, amount);
  pay(methodOf(shop, order, payment_method_id), -amount);
  return order;
}

function delivered(shop: Shop, orderId: string, done: string): Order {
  const order = find(shop.orders, orderId, "order");
  return order.status === "delivered" ? order : refuse(`non-delivered order cannot be ${done}`);
}

function returnItems(shop: Shop, args: Omit<Exchange, "new_item_ids">): Order {
  const order = delivered(shop, args.order_id, "returned");
  const method = methodOf(shop, order, args.payment_method_id);
  if (method.source !== "gift_card" && method.id !== order.payment_history[0]?.payment_method_id)
    refuse("payment method should be either the original payment method or a gift card");
  checkItems(order, args.item_ids, () => "some item not found");
  order.status = "return requested";
  order.return_items = [...args.item_ids].sort();
  order.return_payment_method_id = args.payment_method_id;
  return order;
}

function exchangeItems(shop: Shop, args: Exchange): Order {
  const order = delivered(shop, args.order_id, "exchanged");
  const { difference } = exchanged(shop, order, args);
  const method = methodOf(shop, order, args.payment_method_id);
  const rounded = roundedTo2(difference);
  checkBalance(method, rounded, "price difference");
  order.status = "exchange requested";
  order.exchange_items = [...args.item_ids].sort();
  order.exchange_new_items = [...args.new_item_ids].sort();
  order.exchange_payment_method_id = args.payment_method_id;
  order.exchange_price_difference = rounded;
  return order;
}

/** The retail domain. Its own tools tell all that its policy asks. */
export const retail: DomainPort = { tools, lookups: [] };
