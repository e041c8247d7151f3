/** The API key of the credential that calls. */
export const agentKey = "agent-key-agent-key-agent-key-000001";
/** The API key of the credential that approves. */
export const leadKey = "lead-key-lead-key-lead-key-lead-01";
