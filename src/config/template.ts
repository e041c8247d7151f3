/**
 * What `signalbox init` writes: a configuration that loads as it stands, with everything that one usually changes next explained in place. The
 * keys of its credentials come from the environment.
 */
export const configTemplate = `# yaml-language-server: $schema=./node_modules/signalbox/schema/signalbox.schema.json
# Signalbox configuration. \`signalbox doctor\` checks it, \`signalbox serve\` starts the gateway.
version: 1

# Where state lives: a SQLite file next to this one. \`memory\` forgets everything at the end.
store: sqlite:./signalbox.db

# Where the gateway listens. To be reached from other machines, also list the allowed names under \`hosts:\`.
listen: 127.0.0.1:7320

# The installation's own keys (encryption of private values, signatures of the ledger). Made at the first start. Back it up.
keys: ./signalbox.keys

# API keys. Each is read from where its \`secret:\` points: a variable (\`secret://env/NAME\`) or a file (\`secret://file/run/secrets/NAME\`). No key
# stands in this file. Make one with: openssl rand -hex 24
credentials:
  # What agents call with. It acts for users in these roles, and can never answer an approval.
  agent:
    secret: secret://env/SIGNALBOX_AGENT_KEY
    tenant: main
    actsFor: [support]
    words: attested          # what it says of the user's own words is believed

  # What a person answers approvals with. It can never call.
  lead:
    secret: secret://env/SIGNALBOX_LEAD_KEY
    tenant: main
    approves: [approver]

  # What an operator changes the policy and reads the ledger with.
  operator:
    secret: secret://env/SIGNALBOX_OPERATOR_KEY
    tenant: main
    administers: true

# Systems to act on. Every operation is declared: nothing else of the system can be reached.
sources:
  shop:
    http:
      url: http://127.0.0.1:8081
      allowPrivate: ["127.0.0.1:8081"]    # only because this one is on the same machine
      # runsAs: service                   # with one account for everybody, or as each user
      # auth: secret://env/SHOP_TOKEN     # sent as a bearer token
      tools:
        get_order:
          method: GET
          path: /orders/{orderId}
          tier: read                       # runs at once
          description: Look up one order by its id.
          input:
            type: object
            properties: { orderId: { type: string } }
            required: [orderId]
          arguments: { orderId: ref }
        refund:
          method: POST
          path: /orders/{orderId}/refund
          tier: irreversible               # asks a person, unless a rule waives it
          idempotency: key                 # the shop honours the idempotency-key header
          description: Refund a paid order, in part or whole. Not for cancelling an unpaid one.
          input:
            type: object
            properties:
              orderId: { type: string }
              amount: { type: number, exclusiveMinimum: 0 }
            required: [orderId, amount]
          arguments: { orderId: ref, amount: amount }

  # An MCP server as a source. What it offers waits until an operator has looked at it: \`signalbox tools pins\`, \`signalbox tools admit\`.
  # docs:
  #   mcp:
  #     command: [npx, mcp-server-filesystem, ./docs]
  #     allow: [read_text_file, list_directory]   # all else that it offers is left out
  #     tier: read                         # of all of these: what it says of itself is not asked; \`tiers:\` for single ones
  #     admit: reads                       # new tools of tier read need no review; changed ones always do

# MCP clients name no user: for whom the calls of a credential are made that come to /mcp or over \`serve --stdio\`.
# mcp:
#   credentials:
#     agent: { user: ada, roles: [support] }   # interactive: true lets the user confirm calls in a client that shows forms

# Tools written in TypeScript: modules that export what \`tool()\` makes.
# tools:
#   modules: [./tools.ts]

# Who may do what. Roles grant; rules only narrow, or waive the question of a tier.
policy:
  roles:
    support: [shop.get_order, shop.refund]
  rules:
    - id: small-refunds
      on: shop.refund
      when: args.amount <= 50.0
      effect: allow
      waives: tier
      reason: small refunds need nobody's yes
    # - id: at-most-200          # less of it, where the tool says \`narrows: { amount: cap }\`
    #   on: shop.refund
    #   effect: modify
    #   change: { amount: { cap: 200 } }
    # - id: not-at-night         # waits, and is judged again; or \`for: 10m\`
    #   on: shop.refund
    #   effect: defer
    #   until: now.getHours() >= 7

# Bounds that differ from the defaults; \`signalbox limits\` lists all.
# limits:
#   approvalExpiryMs: 3600000

# Copies of the ledger's checkpoints, best where whoever can write the store cannot. Without one, cutting off the ledger's end goes unnoticed.
# anchors:
#   - file: ./anchors.jsonl
`;
