pub struct MemStorage;
