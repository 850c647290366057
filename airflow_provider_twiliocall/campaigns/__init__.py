"""Many calls in one task: what :class:`.CallCampaignOperator` does."""
