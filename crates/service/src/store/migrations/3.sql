-- What a change was about, where its path does not say it; none where the path does.
ALTER TABLE audit ADD COLUMN detail TEXT;
