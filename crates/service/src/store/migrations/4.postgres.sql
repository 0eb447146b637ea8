-- An index has no room for the brokers of a long list. Whoever gives a pipe its consumer group looks for it among the others, under a lock.
ALTER TABLE pipes DROP CONSTRAINT IF EXISTS pipes_consumer_key;
