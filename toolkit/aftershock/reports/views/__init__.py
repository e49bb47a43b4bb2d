"""From a ledger's tables to what the blocks show: pure functions, no markup."""
